"""What can be wrong, by subject: each rule yields the conditions of one."""
