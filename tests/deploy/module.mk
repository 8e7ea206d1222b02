# deployment: manifests, Terraform and scripts against real tools; not part of `make check`, because it installs npm packages.
EXTRA_DIST += k8s infrastructure scripts monitoring docker-compose.dev.yml .github dev/coverage tests/deploy doc/kubernetes.md doc/terraform.md \
	doc/deployment.md
check-deploy:
	@OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/tests/deploy/run
.PHONY: check-deploy
