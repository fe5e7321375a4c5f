#!/usr/bin/env python3
"""What a Citus cluster needs: memory and disk of a node, bytes between nodes, seconds; the tables of docs/citus.md.

    test/bench/citus_sizing.py [--factors D] [--ratings N --users U --items I --nodes K --cores C]

Without sizes: 1G, 10G and 100G ratings over 4, 16 and 64 nodes.  All figures follow from RATES below, each measured
as its comment says, and from the shapes of what is stored; nothing is measured here.
"""
import argparse

RATES = dict(
    # bytes of a row of ratings (two integers, a real) with its primary key: heap and index of 497,580 rows over 12 shards
    rating_bytes=73,
    # bytes of a user's row beside the vector and what the user had: headers, counts, fingerprint, the primary key's
    # entry; a row of 64 factors and 50 ratings takes 493 in all
    user_bytes=184,
    # bytes of what a user had, a rating
    seen_bytes=1.07,
    # the same of an item's row, beside its vector: 385 in all with 64 factors
    item_bytes=129,
    # bytes of an item in the image, beside the vector in it and its codes, which are 3.2 bytes a factor: 264 in all with 64
    image_bytes=60,
    # ratings that one core takes through a half-sweep in a second, 64 factors, implicit feedback: 10M ratings of 120k
    # users and 15k items in 0.42 s on two cores
    sweep=12e6,
    # rows that one core reads from its shards and sorts in a second: 10M in 1.9 s on two cores
    read=2.6e6,
    # bytes a second between nodes, a network of 10 Gbit/s at half its speed
    network=0.6e9,
    # lists of ten items that one core makes in a second of 5,000 items, where the user lives: 10,000 in 0.3 s on two cores
    lists=16e3,
)


def size(ratings, users, items, nodes, cores, d):
    """What a node has and does, of a model of implicit feedback; bytes and seconds."""
    share = ratings / nodes
    own = users / nodes
    user_row = RATES['user_bytes'] + 4 * d + RATES['seen_bytes'] * ratings / users
    item_row = RATES['item_bytes'] + 4 * d
    # of an item half a triangle in 16 bits, its diagonal, a right-hand side and four sums: see als_packed_sums.c
    sums = items * (d * (d - 1) + 8 * d + 32)
    return dict(
        disk=share * RATES['rating_bytes'] + 2 * (own * user_row + items * item_row),
        image=items * (3.2 * d + RATES['image_bytes']),
        memory=share * 8 + own * 4 * d + items * 4 * d,
        vectors=own * 4 * d + items * 4 * d,
        traffic=sums,
        begin=share / RATES['read'] / cores,
        iteration=2 * share / RATES['sweep'] * (d / 64) ** 1.5 / cores + 2 * sums / RATES['network'],
        lists=RATES['lists'] * cores * nodes,
    )


def human(value):
    for unit in ('', 'k', 'M', 'G', 'T'):
        if value < 1000:
            return f'{value:.3g}{unit}'
        value /= 1000
    return f'{value:.3g}P'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--factors', type=int, default=64)
    parser.add_argument('--cores', type=int, default=8)
    for name in ('ratings', 'users', 'items', 'nodes'):
        parser.add_argument('--' + name, type=float)
    arguments = parser.parse_args()
    cases = [(1e9, 10e6, 200e3), (10e9, 100e6, 500e3), (100e9, 1e9, 1e6)]
    nodes = [4, 16, 64]
    if arguments.ratings:
        cases = [(arguments.ratings, arguments.users or arguments.ratings / 100, arguments.items or 100e3)]
        nodes = [arguments.nodes or 4]
    print('| ratings, users, items | nodes | disk a node | image | memory of a training | of that, vectors | '
          'bytes an iteration | read | an iteration |')
    print('|---|--:|--:|--:|--:|--:|--:|--:|--:|')
    for ratings, users, items in cases:
        for n in nodes:
            s = size(ratings, users, items, n, arguments.cores, arguments.factors)
            print(f'| {human(ratings)}, {human(users)}, {human(items)} | {n:.0f} | {human(s["disk"])} | {human(s["image"])} | '
                  f'{human(s["memory"])} | {human(s["vectors"])} | {human(s["traffic"])} | {human(s["begin"])} s | {human(s["iteration"])} s |')


if __name__ == '__main__':
    main()
