# Each recipe is a script in scripts/; CI (.ci/run) runs the same ones.
.PHONY: demo test test-many lint bench chaos charm pack set-up

# The main job for real: a Synapse with data is deployed, backed up, and the backup read back.
demo:
	@scripts/set-up
	@scripts/demo

# Every test. `scripts/test -p jujuna`, or any nextest arguments, runs some of them.
test:
	@scripts/set-up
	@scripts/test

# A server with 1.2 million files is backed up, verified and restored; says how long that took, and how much memory.
test-many:
	@scripts/set-up
	@scripts/test --run-ignored only --no-capture -E 'test(1_200_000)'

lint:
	@scripts/set-up
	@scripts/lint

bench:
	@scripts/set-up
	@scripts/bench

# Random kills while backups are made and restored: `make chaos N=200 SEED=7`.
chaos:
	@scripts/set-up
	@N='$(N)' SEED='$(SEED)' FROM='$(FROM)' scripts/chaos

# build/charm: the charm as Juju would unpack it, from the debug build (tests run this one).
charm:
	@scripts/set-up
	@scripts/charm debug

# A .charm file by the real charmcraft, checked by it.
pack:
	@scripts/set-up charmcraft
	@scripts/pack

set-up:
	@scripts/set-up
