"""What an acceptance plan does: one function for each task, run by the scheduler in a process of its own."""
