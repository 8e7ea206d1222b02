# fetcher
