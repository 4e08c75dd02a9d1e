# make demo: the main job on the sample CT. make test: all tests. Both set up what they need in .venv first.
VENV ?= .venv
DEMO ?= demo
READY = $(VENV)/.ready

.PHONY: demo test clean

demo: $(READY)
	@mkdir -p $(DEMO)
	$(VENV)/bin/kidneyparsing segment Resources/sample_cta.nii.gz -o $(DEMO)/kidneys.seg.nrrd --render $(DEMO)/kidneys.png
	@echo "picture: $(DEMO)/kidneys.png"

test: $(READY)
	$(VENV)/bin/python -m pytest

$(READY): pyproject.toml Utilities/setup.sh
	@sh Utilities/setup.sh $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO)
