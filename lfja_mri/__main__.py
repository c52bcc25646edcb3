"""`python -m lfja_mri` is the console script."""

from lfja_mri.app import main

main()
