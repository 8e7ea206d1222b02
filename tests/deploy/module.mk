# deployment: manifests, Terraform and scripts against real tools; not part of `make check`, because it installs npm packages.
EXTRA_DIST += k8s infrastructure scripts monitoring docker-compose.dev.yml .github tests/deploy doc/kubernetes.md doc/terraform.md \
	doc/deployment.md
# CHECK_IMAGE: --short, --full, --within SECONDS; what a machine cannot do is skipped and named.
check-deploy:
	@OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/tests/deploy/check $(CHECK_IMAGE)
check-manifests:
	@OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/tests/deploy/run
.PHONY: check-deploy check-manifests
