"""nnU-Net v2's own preprocessor, predictor and export (Isensee et al. 2021, 10.1038/s41592-020-01008-z)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ...networks.configs import NetworkConfig
from ..measuring import cores
from .timing import Phases, loaded

_CONFIGURATION = "3d_fullres"
_RESAMPLING = "resample_data_or_seg_to_shape"


def run(ct: Path, weights: Path, output: Path) -> dict:
    """Segments a CT file into a .nii.gz of class indices; seconds by phase and the number of windows."""
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
    from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape

    phases, predictor = Phases(), _predictor(weights)
    plans, configuration = predictor.plans_manager, predictor.configuration_manager
    files = SimpleITKIO()
    with phases("read"):
        data, properties = files.read_images([str(ct)])
    with phases("locate"):
        preprocessor = configuration.preprocessor_class(verbose=False)
        data, _, properties = preprocessor.run_case_npy(
            data, None, properties, plans, configuration, predictor.dataset_json
        )
        data = torch.from_numpy(np.ascontiguousarray(data))
    windows = len(predictor._internal_get_sliding_window_slicers(data.shape[1:]))
    with phases("network"):
        logits = predictor.predict_sliding_window_return_logits(data)
    with phases("labels"):
        labels = convert_predicted_logits_to_segmentation_with_correct_shape(
            logits, plans, configuration, predictor.label_manager, properties, num_threads_torch=cores()
        )
    with phases("write"):
        files.write_seg(labels, str(output), properties)
    return {"phases": phases.seconds, "windows": windows}


def _predictor(weights: Path):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    network, config = loaded(weights)
    predictor = nnUNetPredictor(
        tile_step_size=config.overlap, use_gaussian=True, use_mirroring=False, perform_everything_on_device=False,
        device=torch.device("cpu"), allow_tqdm=False,
    )  # fmt: skip
    plans = PlansManager(plans_of(config))
    configuration = plans.get_configuration(_CONFIGURATION)
    predictor.manual_initialization(
        network, plans, configuration, [network.state_dict()], dataset_of(config), "nnUNetTrainer", None
    )
    return predictor


def dataset_of(config: NetworkConfig) -> dict:
    """What nnU-Net's dataset.json says for our classes."""
    labels = {name: index for index, name in enumerate(config.classes)}
    return {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}


def plans_of(config: NetworkConfig) -> dict:
    """nnU-Net's plans for a network of ours, with the normalisation of our config and the resampling that nnU-Net's
    own planner writes: cubic for the CT, linear for the logits."""
    low, high = map(float, config.clip_hu)
    intensity = {"min": low, "max": high, "mean": config.mean_hu, "median": config.mean_hu, "std": config.std_hu}
    return {
        "dataset_name": "Dataset001_Speed",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(config.spacing_mm),
        "original_median_shape_after_transp": list(config.patch),
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {_CONFIGURATION: _configuration(config)},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": intensity | {"percentile_00_5": low, "percentile_99_5": high}
        },
    }


def _configuration(config: NetworkConfig) -> dict:
    linear = {"order": 1, "order_z": 0, "force_separate_z": None}
    return {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": list(config.patch),
        "median_image_size_in_voxels": list(config.patch),
        "spacing": list(config.spacing_mm),
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": _RESAMPLING,
        "resampling_fn_data_kwargs": linear | {"is_seg": False, "order": 3},
        "resampling_fn_seg": _RESAMPLING,
        "resampling_fn_seg_kwargs": linear | {"is_seg": True},
        "resampling_fn_probabilities": _RESAMPLING,
        "resampling_fn_probabilities_kwargs": linear | {"is_seg": False},
        "batch_dice": False,
        # The network is given, not built from the plans; their reader only wants the key.
        "architecture": {"network_class_name": "PlainConvUNet", "arch_kwargs": {}, "_kw_requires_import": []},
    }
