"""Watch folders: files dropped into a folder become takes in its `out` folder."""
