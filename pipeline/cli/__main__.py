"""`python -m pipeline.cli` is `tenantbill`."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
