# make demo: the main job on the sample CT. make test: all tests. make weights: train the released weights anew
# (docs/training.md). All set up what they need in .venv first.
VENV ?= .venv
DEMO ?= demo
RUNS ?= runs
READY = $(VENV)/.ready

.PHONY: demo test weights clean

demo: $(READY)
	@mkdir -p $(DEMO)
	$(VENV)/bin/kidneyparsing segment Resources/sample_cta.nii.gz -o $(DEMO)/kidneys.seg.nrrd --render $(DEMO)/kidneys.png
	@echo "picture: $(DEMO)/kidneys.png"

test: $(READY)
	$(VENV)/bin/python -m pytest

weights: $(READY)
	@test -n "$(SPL)" -a -n "$(KIDNEYS)" -a -n "$(REAL)" || \
		{ echo "make weights needs SPL=, KIDNEYS= and REAL= folders (docs/training.md)"; exit 2; }
	@mkdir -p "$(RUNS)"
	PATH="$(abspath $(VENV))/bin:$$PATH" sh Utilities/train_weights.sh "$(SPL)" "$(KIDNEYS)" "$(REAL)" "$(RUNS)"

$(READY): pyproject.toml Utilities/setup.sh
	@sh Utilities/setup.sh $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO)
