# Unit tests of http.
