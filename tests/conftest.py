import os

# Before torch and NumPy are there, and for the processes that tests start: the order of sums, so the last digit of a
# loss, depends on the number of threads, and threads of several processes on two cores wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
