"""Where sound comes from: files, messages, devices."""
