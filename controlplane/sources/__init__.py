"""Where policies come from: a directory of files, the admin API; each yields the same documents."""
