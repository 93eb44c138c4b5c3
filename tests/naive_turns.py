"""Plain twins of `pgrpo_envs.turns`, on Python's own whole numbers."""

WORD = 2**64
MIX_1, MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix(z):
    z = (z ^ (z >> 30)) * MIX_1 % WORD
    z = (z ^ (z >> 27)) * MIX_2 % WORD
    return z ^ (z >> 31)


def shuffled(place, n, key):
    half = 1
    while 4**half < n:
        half += 1
    size = 2**half
    while True:
        left, right = divmod(place, size)
        for number in range(8):
            scrambled = mix((key + number * 2**40 + right) % WORD) % size
            left, right = right, left ^ scrambled
        place = left * size + right
        if place < n:
            return place
