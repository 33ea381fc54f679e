"""What the tests of wrappers share."""


def plus_one(number):
    return number + 1


def minus_one(number):
    return number - 1


def fail(error):
    def function(*_):
        raise error

    return function
