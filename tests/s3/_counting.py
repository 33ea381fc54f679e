"""Counting by compare-and-swap, by threads and by processes that know nothing of each other."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

from holdall import ITEM_NOT_AVAILABLE, S3Store


def plus_one(number):
    """Count on, from nothing if need be."""
    return 1 if number is ITEM_NOT_AVAILABLE else number + 1


def count(store, times):
    """Count, and return the numbers that were reached."""
    return [store.transform_item("n", transformer=plus_one, n_retries=None).new_value for _ in range(times)]


def count_in_threads(store, threads, times):
    """Count in threads that share a store; return all the numbers that were reached, sorted."""
    with ThreadPoolExecutor(threads) as pool:
        reached = list(pool.map(count, [store] * threads, [times] * threads))
    return sorted(number for numbers in reached for number in numbers)


def count_alone(bucket, endpoint_url, engine, times):
    """Count in a process of its own."""
    return count(S3Store(bucket, prefix="p", endpoint_url=endpoint_url, engine=engine), times)


def count_in_processes(bucket, engine, processes, times):
    """Count in new processes; return all the numbers that were reached, sorted."""
    work = [(bucket.name, bucket.endpoint_url, engine, times)] * processes
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        reached = pool.starmap(count_alone, work)
    return sorted(number for numbers in reached for number in numbers)
