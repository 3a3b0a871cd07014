# SPDX-License-Identifier: GPL-2.0-only
# Front door for make users; all work is done by ./pvguest.

.DEFAULT_GOAL := help
.PHONY: help run check check-long style conformance bench porting-cost report clean

help:
	@echo 'make run            build our kernel and open a shell in a guest on the hypervisor'
	@echo 'make check          run all tests but the slow ones (make check-long: all, resumed)'
	@echo 'make style          check the code, the documents and the help texts only (seconds; at first minutes)'
	@echo 'make conformance    check the hypervisor against the ABI'
	@echo 'make bench          measure our port beside mainline and native'
	@echo 'make porting-cost   count the lines that the port takes'
	@echo 'make report         write build/report/index.html'
	@echo 'make clean          remove build/ (everything generated)'
	@echo
	@echo 'Options are passed to ./pvguest itself: ./pvguest --help'

run conformance bench porting-cost report check:
	@./pvguest $@

style:
	@selftests/style/check

check-long:
	@./pvguest check --long

clean:
	rm -rf build
