#!/bin/sh
# Makes anatomies, labels the real CTs, trains locator and default system with its second look, releases their weights (docs/training.md).
# train_weights.sh SPL_FOLDER KIDNEY_FOLDER REAL_CT_FOLDER RUNS; run again, it goes on where it was. To try it in minutes:
# ANATOMIES=2 STEPS=2 WEIGHTS=FOLDER, so many anatomies, so many steps a training, and another folder for the weights.
set -eu
spl=$1 kidneys=$2 real=$3 runs=$4
weights=${WEIGHTS:-KidneyParsingLib/weights}
trial=${STEPS:+--steps $STEPS}
# Threads that wait asleep: awake, they make a step ten times slower as soon as anything else runs.
export OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0

mkdir -p "$runs/made_only" "$weights"
kidneyparsing synthesize "$runs/anatomies" --anatomies --n "${ANATOMIES:-200}" --seed 20000 --spl "$spl" --kidneys "$kidneys"
# None of these CTs may show a tumor or cyst that its reference lacks; else leave --no-other-lesions out.
python Utilities/label_real_scans.py "$real" "$runs/real" --no-other-lesions
kidneyparsing train --model locator --data anatomies "$runs/anatomies" --mix "$runs/real" --share 0.3 --resume \
    -o "$runs/locator" --release "$weights" $trial
# First on made CT alone, then gently with the real scans among it (docs/experiments.md says why).
kidneyparsing train --model ba_net --data anatomies "$runs/anatomies" --resume -o "$runs/ba_net" --release "$runs/made_only" $trial
kidneyparsing train --model ba_net --data anatomies "$runs/anatomies" --resume -o "$runs/ba_net_real" --release "$weights" \
    --init "$runs/made_only/ba_net-small.safetensors" --mix "$runs/real" --share 0.2 --rate 0.001 --steps 4000 $trial
# The second look at each kidney starts from what BA-Net knows of kidneys.
kidneyparsing train --model second_look --data anatomies "$runs/anatomies" --resume -o "$runs/second_look" --release "$weights" \
    --init "$weights/ba_net-small.safetensors" --mix "$runs/real" --share 0.15 $trial
