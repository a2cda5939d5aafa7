"""The tanzheng command: finds the sub-commands of installed packages."""
