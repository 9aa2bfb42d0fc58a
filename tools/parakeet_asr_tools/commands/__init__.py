"""One module per command: ``add_parser(commands)`` declares it and names the function that runs it."""
