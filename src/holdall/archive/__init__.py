"""Objects as importable Python source that outlives the library."""
