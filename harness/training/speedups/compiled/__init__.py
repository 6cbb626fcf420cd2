"""Speed-ups in C++, compiled on the machine that trains; inactive where there is no compiler."""
