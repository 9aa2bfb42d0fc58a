"""Speech recognition in numpy: it knows no ROS, no engine, no file and no thread."""
