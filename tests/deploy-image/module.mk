# deploy-image: the image, the units and the Debian package, by the tools that use them; root, and Debian's archive in reach.
check-image:
	$(top_srcdir)/tests/deploy-image/run $(CHECK_IMAGE)
.PHONY: check-image
EXTRA_DIST += tests/deploy-image/run tests/deploy-image/box.py tests/deploy-image/image_checks.py \
	tests/deploy-image/package_checks.py tests/deploy-image/unit_checks.py \
	Dockerfile Dockerfile.dev .dockerignore doc/containers.md doc/debian.md \
	debian/changelog debian/control debian/copyright debian/opitios-alpaca.postrm \
	debian/opitios-alpaca.lintian-overrides debian/rules debian/source/format
