"""Searches a network: data set and latency table in, genotype out."""

from lgcnet_tf.bin import common


def main():
    with common.resumable():
        with common.quiet_start():
            from lgcnet_tf.commands.search import SearchOptions, search

        common.run(SearchOptions, search)


if __name__ == "__main__":
    main()
