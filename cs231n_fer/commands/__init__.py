"""The command line, `cs231n-fer` or `python -m cs231n_fer`: a thin layer over functions.

    main                   the table of commands, and how errors are reported
    parsing                types of arguments, and how a subparser is made
    photo_options          the options that the commands on photos share
    predict, saliency      photos
    web                    a page that shows it live
    train, evaluate        networks
    prepare                data
    gradients, info        checks, and what is installed

Exit codes: 0 for success, 1 for a failure, with one line on stderr, and 2 for incorrect usage.

To add a command: write a module here whose `add` makes its subparser with parsing.command, and add
a row to COMMANDS in main. A command imports what it needs only when it runs, so --help stays quick.
"""
