"""Kidney Parsing: kidneys, tumors, arteries, veins and ureters from CT as editable segments."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import slicer
import vtk
from KidneyParsingModuleLib.Dependencies import ensureDependencies
from KidneyParsingModuleLib.ResultImporter import ImportedSegmentation, ResultError, importSegmentation
from KidneyParsingModuleLib.RunListener import RunListener
from KidneyParsingModuleLib.RunPanel import RunPanel
from KidneyParsingModuleLib.SegmentationRunner import SegmentationRunner
from KidneyParsingModuleLib.Texts import acknowledgementText, helpText
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

RELOADED_PACKAGES = ("KidneyParsingModuleLib", "KidneyParsingLib")


class KidneyParsing(ScriptedLoadableModule):
    """Describes the module to Slicer."""

    def __init__(self, parent: object) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Kidney Parsing")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations"]
        self.parent.contributors = ["KidneyParsing contributors"]
        self.parent.helpText = helpText()
        self.parent.acknowledgementText = acknowledgementText()


@parameterNodeWrapper
class KidneyParsingParameterNode:
    """
    What the user chose; saved with the scene.

    inputVolume - The CT to segment.
    outputSegmentation - The latest result.
    modelName - Name of the network; empty for the default one.
    device - What computes.
    averageMirrored - Whether to average with the mirrored CT.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputSegmentation: vtkMRMLSegmentationNode
    modelName: str = ""
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])] = "auto"
    averageMirrored: bool = False


class KidneyParsingLogic(ScriptedLoadableModuleLogic):
    """Segments volumes in the background; usable without the panel.

    logic = KidneyParsingLogic()
    logic.start(slicer.util.getNode("CT"))  # returns at once; the segmentation appears when it is ready
    """

    def __init__(self, listener: RunListener | None = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self._listener = listener or RunListener()
        self._runner: SegmentationRunner | None = None

    def getParameterNode(self) -> KidneyParsingParameterNode:
        """The module's parameters in the scene."""
        return KidneyParsingParameterNode(super().getParameterNode())

    @property
    def isRunning(self) -> bool:
        """Whether a segmentation is going on."""
        return self._runner is not None and self._runner.isRunning

    def start(
        self,
        inputVolume: vtkMRMLScalarVolumeNode,
        modelName: str = "",
        device: str = "auto",
        averageMirrored: bool = False,
    ) -> None:
        """Begin to segment a CT; the listener hears the rest. Raises RuntimeError or ValueError with a sentence."""
        from KidneyParsingLib.inference.options import DEFAULT_MODEL, Options

        if not inputVolume:
            raise ValueError(_("Choose a CT volume first."))
        if self._runner is None:
            self._runner = SegmentationRunner(self._listener, slicer.mrmlScene)
        self._runner.start(inputVolume, Options(modelName or DEFAULT_MODEL, device, tta=averageMirrored))

    def cancel(self) -> None:
        """End the segmentation that is going on, if any; nothing is added to the scene."""
        if self._runner:
            self._runner.cancel()

    def close(self) -> None:
        """End the engine's process."""
        if self._runner:
            self._runner.close()
            self._runner = None


class KidneyParsingWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: parameters and the Apply button. What a run shows is in RunPanel."""

    def __init__(self, parent: object = None) -> None:
        self.logic = None
        self._runPanel = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self) -> None:
        """Build the panel when the user first opens the module."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/KidneyParsing.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self._runPanel = RunPanel(self.ui, self._updateControls, self._onNewSegmentation)
        self.logic = KidneyParsingLogic(self._runPanel)
        self._fillModels()
        self._connect()
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """End the engine when Slicer quits or the module is reloaded."""
        if self.logic:
            self._runPanel.close()
            self.logic.close()
        self.setParameterNode(None)
        self.removeObservers()

    def onReload(self) -> None:
        """Reload the helper modules and the library too, not only this file."""
        for name in [name for name in sys.modules if name.split(".")[0] in RELOADED_PACKAGES]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self) -> None:
        """Connect the panel to the scene's parameters when the user opens the module."""
        self.initializeParameterNode()

    def exit(self) -> None:
        """Stop reacting to parameters while another module is open; a run goes on."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller: vtk.vtkObject, event: str) -> None:
        """The nodes of a run vanish with the scene, so the run ends."""
        self.logic.cancel()
        self._runPanel.clearResult()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller: vtk.vtkObject, event: str) -> None:
        """Start again with fresh parameters if the panel is open."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Connect to the scene's parameters and choose the first volume if none is chosen."""
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            firstVolumeNode = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            if firstVolumeNode:
                self._parameterNode.inputVolume = firstVolumeNode

    def setParameterNode(self, parameterNode: KidneyParsingParameterNode | None) -> None:
        """Connect the panel to these parameters, or to none."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._updateControls)
        self._parameterNode = parameterNode
        if self._parameterNode:
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._updateControls)
            self._updateControls()

    def onModelSelected(self, index: int) -> None:
        """Store the chosen network."""
        if self._parameterNode:
            self._parameterNode.modelName = self.ui.modelComboBox.itemData(index) or ""

    def onApplyButton(self) -> None:
        """Begin a run, or cancel the one that is going on."""
        if self.logic.isRunning:
            self.logic.cancel()
            return
        # Installing packages lets events through: no second click meanwhile.
        self.ui.applyButton.enabled = False
        try:
            with slicer.util.tryWithErrorDisplay(_("The segmentation could not be started.")):
                ensureDependencies(self.resourcePath("requirements.txt"))
                chosen = self.logic.getParameterNode()
                self.logic.start(chosen.inputVolume, chosen.modelName, chosen.device, chosen.averageMirrored)
        finally:
            self._updateControls()

    def _connect(self) -> None:
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.ui.modelComboBox.connect("currentIndexChanged(int)", self.onModelSelected)

    def _fillModels(self) -> None:
        from KidneyParsingLib.inference.registry import list_models

        for model in list_models():
            self.ui.modelComboBox.addItem(model.name, model.name)

    def _onNewSegmentation(self, segmentationNode: vtkMRMLSegmentationNode) -> None:
        # Not self._parameterNode: the user may be in another module.
        self.logic.getParameterNode().outputSegmentation = segmentationNode

    def _updateControls(self, caller: vtk.vtkObject | None = None, event: str = "") -> None:
        from KidneyParsingLib.inference.options import DEFAULT_MODEL

        running = self.logic.isRunning
        chosen = self._parameterNode
        self.ui.applyButton.text = _("Cancel") if running else _("Apply")
        self.ui.applyButton.toolTip = _("Stop; nothing is added to the scene.") if running else _("Segment the CT.")
        self.ui.applyButton.enabled = running or bool(chosen and chosen.inputVolume)
        if chosen:
            self.ui.modelComboBox.currentIndex = self.ui.modelComboBox.findData(chosen.modelName or DEFAULT_MODEL)


class KidneyParsingTest(ScriptedLoadableModuleTest):
    """Checks what needs Slicer and neither a network nor weights; the library has its own tests."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all tests, for Reload and Test."""
        for test in (self.test_parameters, self.test_import, self.test_importAfterVolumeWasRemoved):
            self.setUp()
            test()
        self.delayDisplay("Test passed")

    def test_parameters(self) -> None:
        """Parameters keep what is stored in them."""
        logic = KidneyParsingLogic()
        logic.getParameterNode().device = "cpu"
        logic.getParameterNode().inputVolume = self._volumeNode()
        self.assertEqual(logic.getParameterNode().device, "cpu")
        self.assertEqual(logic.getParameterNode().inputVolume.GetName(), "CT")
        self.assertFalse(logic.isRunning)

    def test_import(self) -> None:
        """A result file becomes a segmentation with names and the right volume."""
        volumeNode = self._volumeNode()
        result = self._import(volumeNode.GetID())
        self.assertEqual(result.node.GetSegmentation().GetSegment("kidney_left").GetName(), "Left kidney")
        self.assertAlmostEqual(dict(result.volumes)["Left kidney"], 1.0)

    def test_importAfterVolumeWasRemoved(self) -> None:
        """Without its CT a result is dropped with a sentence and leaves no node."""
        volumeNode = self._volumeNode()
        volumeNodeID = volumeNode.GetID()
        slicer.mrmlScene.RemoveNode(volumeNode)
        with self.assertRaises(ResultError):
            self._import(volumeNodeID)
        self.assertIsNone(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode"))

    def _volume(self) -> object:
        import numpy as np

        from KidneyParsingLib.volumes.volume import Volume

        return Volume(np.zeros((20, 20, 20), np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))

    def _volumeNode(self) -> vtkMRMLScalarVolumeNode:
        from KidneyParsingLib.mrml.scene import volume_node

        return volume_node(slicer.mrmlScene, self._volume())

    def _import(self, volumeNodeID: str) -> ImportedSegmentation:
        from KidneyParsingLib.anatomy import segment
        from KidneyParsingLib.volumes.volume import LabelMap
        from KidneyParsingLib.volumes.writing import write_label_map

        volume, kidney = self._volume(), segment("kidney_left")
        array = volume.array.astype("uint8")
        array[5:10, 5:10, 5:10] = kidney.value
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "result.seg.nrrd"
            write_label_map(LabelMap(array, volume.affine, (kidney,)), path)
            return importSegmentation(slicer.mrmlScene, str(path), volumeNodeID, "test")
