"""What is golden is read, and neither imported nor collected."""

collect_ignore_glob = ["[0-9]*"]
