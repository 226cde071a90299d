"""How the admin writes days and moments: minutes alone do not tell requests apart."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = r"Y-m-d H:i:s \U\T\C"
