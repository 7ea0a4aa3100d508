"""The command line, `cs231n-fer` or `python -m cs231n_fer`: a thin layer over functions.

    main                   the table of commands, and what becomes of errors
    parsing                types of arguments, and what all commands share
    predict, saliency      photos
    web                    a page that shows it live
    train, evaluate        networks
    prepare                data
    gradients, info        checks, and what is installed

Exit codes: 0, 1 for a failure with one line on stderr, 2 for bad use.

To add a command: a module here whose `add` makes its subparser with parsing.command, and a row in
COMMANDS of main. It imports what it needs when it runs, so that --help stays quick.
"""
