"""A page in the browser that shows the trained net at work: `cs231n-fer web`.

    answers      what the page is told, computed by the functions behind the command line
    guard        which requests are refused, and the headers of every response
    app          the addresses of the server
    serve        a server on this machine alone
    page.html, page.css, page.js and the modules that page.js imports: the page itself

The server needs starlette and uvicorn, which `pip install "cs231n_fer[web]"` installs. The page is
plain HTML and JavaScript: nothing is built, and nothing comes from elsewhere.

To add something to the page: a function in answers.py, its address in app.py, and a row in
tests/web/test_app.py; what it looks like, in page.html and a module of JavaScript, which PAGE of
app.py lists. tests/web/test_browser.py opens the page in a browser.
"""
