"""What runs inside a host: one program of the standard library alone, because every engine has its own Python and packages."""
