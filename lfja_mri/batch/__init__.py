"""Many studies: workers, resume, ledger."""
