"""Launch lfja-mri from a checkout; the console script `lfja-mri` starts the same app."""

from lfja_mri.app import main

main()
