"""What any program needs and no library has in this form: atomic files and folders, isolated processes, progress."""
