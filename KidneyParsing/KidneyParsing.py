"""Kidney Parsing: kidneys, tumors, arteries, veins and ureters from CT as editable segments."""

import logging
import sys
import time
import unittest
from pathlib import Path

import slicer
import vtk
from KidneyParsingModuleLib.ChoicesPanel import ChoicesPanel
from KidneyParsingModuleLib.CorrectPanel import CorrectPanel
from KidneyParsingModuleLib.Dependencies import ensureDependencies, missingPackages
from KidneyParsingModuleLib.ExportPanel import ExportPanel
from KidneyParsingModuleLib.PlacesPanel import PlacesPanel
from KidneyParsingModuleLib.ReplaceQuestion import RunDeclined, replacementFor
from KidneyParsingModuleLib.ResultImporter import Replacement, ResultError
from KidneyParsingModuleLib.ResultRecord import fingerprint, isEdited, placesOf, volumeOf
from KidneyParsingModuleLib.ReviewPanel import ReviewPanel
from KidneyParsingModuleLib.RunChoices import ChoiceStore, RunChoices
from KidneyParsingModuleLib.RunListener import RunListener
from KidneyParsingModuleLib.RunPanel import RunPanel
from KidneyParsingModuleLib.SampleData import loadSampleCTA, registerSampleData
from KidneyParsingModuleLib.ScanPanel import ScanPanel, volumeNodes
from KidneyParsingModuleLib.SegmentationRunner import SegmentationRunner
from KidneyParsingModuleLib.Shortcuts import KEYS, installShortcuts, nameKey
from KidneyParsingModuleLib.TestScenes import RunRecorder, importMadeResult, madeVolumeNode
from KidneyParsingModuleLib.Texts import acknowledgementText, helpText
from KidneyParsingModuleLib.Translation import errorsTranslated
from KidneyParsingModuleLib.UserSettings import recall, remember
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from KidneyParsingLib.inference.options import Options

RELOADED_PACKAGES = ("KidneyParsingModuleLib", "KidneyParsingLib")
# Of the sample CT in a test: an engine that hangs must not hang Slicer.
LONGEST_RUN_SECONDS = 1800


class KidneyParsing(ScriptedLoadableModule):
    """Describes the module to Slicer."""

    def __init__(self, parent: object) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Kidney Parsing")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "Markups"]
        self.parent.contributors = ["KidneyParsing contributors"]
        self.parent.helpText = helpText()
        self.parent.acknowledgementText = acknowledgementText()
        # Sample Data is there only when all modules are.
        slicer.app.connect("startupCompleted()", registerSampleData)


@parameterNodeWrapper
class KidneyParsingParameterNode:
    """
    What the user chose; saved with the scene. Empty texts: what the user chose the last time.

    inputVolume - The CT to segment.
    outputSegmentation - The result to review, correct and export.
    modelName - Name of the system.
    device - What computes: auto, cpu, cuda or mps.
    quality - fast, default or best.
    structures - Names with commas between, or all, or none.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputSegmentation: vtkMRMLSegmentationNode
    modelName: str = ""
    device: str = ""
    quality: str = ""
    structures: str = ""


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
        options: Options | None = None,
        replacement: Replacement | None = None,
    ) -> None:
        """Begin to segment a CT; the listener hears the rest. Raises RuntimeError or ValueError with a sentence.

        Without `options` it is the default system with places to review; without a `replacement` the result is a new
        segmentation.
        """
        options = options or RunChoices().options
        if not inputVolume:
            raise ValueError(_("Choose a CT volume first."))
        if options.structures is not None and not options.structures:
            raise ValueError(_("Check at least one structure."))
        if self._runner is None:
            self._runner = SegmentationRunner(self._listener, slicer.mrmlScene)
        self._runner.start(inputVolume, options, replacement)

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
    """The panel: connects the scene's parameters, the logic and the parts of the panel, which do the work."""

    def __init__(self, parent: object = None) -> None:
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._guiObserverTag = 0
        # Its own, as the mixin holds on to a node, here a whole CT, until all of its observers are removed.
        self._voxelWatch = VTKObservationMixin()
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self) -> None:
        """Build the panel when the user first opens the module."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/KidneyParsing.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self._createParts(uiWidget)
        self.logic = KidneyParsingLogic(self._run)
        self._connect()
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """End the engine when Slicer quits or the module is reloaded; a second call does nothing."""
        if self.logic:
            self.logic.close()
        # Before the parts let go of their nodes, which must not make the panel show itself again.
        self.setParameterNode(None)
        self.removeObservers()
        if self.logic:
            for part in (self._run, self._choices, self._review, self._correct):
                part.close()

    def onReload(self) -> None:
        """Reload the helper modules and the library too, not only this file."""
        for name in [name for name in sys.modules if name.split(".")[0] in RELOADED_PACKAGES]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self) -> None:
        """Connect the panel to the scene's parameters when the user opens the module."""
        self.initializeParameterNode()
        self._scan.enter()
        self._correct.enter()
        self._choices.askForGraphics()

    def exit(self) -> None:
        """Stop reacting to parameters while another module is open; a run goes on."""
        self.setParameterNode(None)
        self._correct.exit()

    def onSceneStartClose(self, caller: vtk.vtkObject, event: str) -> None:
        """The nodes of a run vanish with the scene, so the run ends."""
        self.logic.cancel()
        self.setParameterNode(None)
        self._showNodes(None, None)
        self._correct.forgetScene()

    def onSceneStartImport(self, caller: vtk.vtkObject, event: str) -> None:
        """Let go of the parameters: a selector takes the first node that arrives, not the one that the scene names."""
        self.setParameterNode(None)

    def onSceneEndClose(self, caller: vtk.vtkObject, event: str) -> None:
        """Start again with fresh parameters if the panel is open; also after a scene was loaded."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Connect to the scene's parameters and choose the first volume if none is chosen."""
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            firstVolumeNode = next(iter(volumeNodes()), None)
            if firstVolumeNode:
                self._parameterNode.inputVolume = firstVolumeNode

    def setParameterNode(self, parameterNode: KidneyParsingParameterNode | None) -> None:
        """Connect the panel to these parameters, or to none."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            # Slicer 5.10 forgets it, and crashes by it once Python has collected these parameters.
            self._parameterNode.RemoveObserver(self._guiObserverTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._update)
        self._parameterNode = parameterNode
        self._watchVoxels(None)
        if self._parameterNode:
            self._guiObserverTag = _nextObserverTag(self._parameterNode)
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._update)
            self._update()

    def onApplyButton(self, checked: bool = False) -> None:
        """Begin a run, or cancel the one that is going on."""
        if self.logic.isRunning:
            self.logic.cancel()
            return
        # Questions and the installation of packages let events through: no second click meanwhile.
        self.ui.applyButton.setEnabled(False)
        try:
            with slicer.util.tryWithErrorDisplay(_("The segmentation could not be started.")), errorsTranslated():
                self._start()
        finally:
            self._updateApply()

    def _createParts(self, uiWidget: object) -> None:
        from KidneyParsingLib.inference.registry import list_models

        scene = slicer.mrmlScene
        self._store = ChoiceStore(recall, remember)
        self._scan = ScanPanel(self.ui, self._onOpened)
        self._choices = ChoicesPanel(self.ui, list_models(), self._onChoices)
        self._review = ReviewPanel(self.ui, scene, self._onSegmentSelected)
        self._places = PlacesPanel(self.ui, scene)
        self._correct = CorrectPanel(self.ui, scene, self._review.select)
        self._export = ExportPanel(self.ui, scene)
        self._shortcuts = installShortcuts(self.ui, uiWidget)
        self._run = RunPanel(self.ui, self._updateApply, self._onBeforeReplace, self._onNewSegmentation)

    def _connect(self) -> None:
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndClose)
        # Slicer's selectors choose anew after many changes at once, the one in the Segment Editor without asking us.
        self.addObserver(scene, scene.EndBatchProcessEvent, self._update)
        self.addObserver(scene, scene.NodeRemovedEvent, self._update)
        self.ui.applyButton.clicked.connect(self.onApplyButton)

    def _start(self) -> None:
        chosen = self.logic.getParameterNode()
        options = self._store.read(chosen, self._choices.structuresOf).options
        try:
            replacement = replacementFor(chosen.outputSegmentation, chosen.inputVolume)
        except RunDeclined:
            return
        ensureDependencies(self.resourcePath("requirements.txt"))
        self.logic.start(chosen.inputVolume, options, replacement)

    def _onOpened(self, volumeNode: vtkMRMLScalarVolumeNode) -> None:
        self.logic.getParameterNode().inputVolume = volumeNode

    def _onChoices(self, choices: RunChoices) -> None:
        self._store.write(self.logic.getParameterNode(), choices)

    def _onSegmentSelected(self, segmentID: str) -> None:
        self._correct.select(segmentID)

    def _onBeforeReplace(self, segmentationNode: vtkMRMLSegmentationNode) -> None:
        # The chosen one from now on: the editor forgets saved states when it turns to another segmentation.
        self.logic.getParameterNode().outputSegmentation = segmentationNode
        self._correct.saveForUndo(segmentationNode)

    def _onNewSegmentation(self, segmentationNode: vtkMRMLSegmentationNode) -> None:
        # Not self._parameterNode: the user may be in another module.
        self.logic.getParameterNode().outputSegmentation = segmentationNode
        # A replaced result is the same node as before.
        self._update()

    def _update(self, caller: vtk.vtkObject | None = None, event: str = "") -> None:
        chosen = self._parameterNode
        # While a scene is loaded not all of its nodes are there; the end of that comes here too.
        if chosen and not slicer.mrmlScene.IsBatchProcessing():
            self._choices.show(self._store.read(chosen, self._choices.structuresOf))
            self._watchVoxels(chosen.inputVolume)
            self._showNodes(chosen.inputVolume, chosen.outputSegmentation)
        self._updateApply()

    def _watchVoxels(self, volumeNode: vtkMRMLScalarVolumeNode | None) -> None:
        # Readers such as that of DICOM add a volume to the scene before its voxels.
        self._voxelWatch.removeObservers()
        if volumeNode:
            self._voxelWatch.addObserver(volumeNode, volumeNode.ImageDataModifiedEvent, self._update)

    def _showNodes(
        self, volumeNode: vtkMRMLScalarVolumeNode | None, segmentationNode: vtkMRMLSegmentationNode | None
    ) -> None:
        if segmentationNode and not segmentationNode.GetDisplayNode():
            # As Slicer's own panels do for one that a script has made.
            segmentationNode.CreateDefaultDisplayNodes()
        source = (volumeOf(segmentationNode) or volumeNode) if segmentationNode else None
        self._scan.show(volumeNode)
        self._review.setSegmentation(segmentationNode)
        self._places.setSegmentation(segmentationNode, source.GetID() if source else "")
        self._correct.setSegmentation(segmentationNode, source)
        self._export.setSegmentation(segmentationNode, source)

    def _updateApply(self) -> None:
        running = self.logic.isRunning
        button = self.ui.applyButton
        button.setText(_("Cancel") if running else _("Apply"))
        button.setToolTip(_("Stop; nothing is added to the scene.") if running else _("Segment the CT."))
        nameKey(button, KEYS["applyButton"])
        button.setEnabled(running or bool(self._parameterNode and self._parameterNode.inputVolume))
        self._choices.setEnabled(not running)


def _nextObserverTag(parameterNode: KidneyParsingParameterNode) -> int:
    """The tag that the next observer of the parameters will get; VTK counts them up for each object."""
    tag = parameterNode.AddObserver(vtk.vtkCommand.NoEvent, lambda caller, event: None)
    parameterNode.RemoveObserver(tag)
    return tag + 1


class KidneyParsingTest(ScriptedLoadableModuleTest):
    """Checks what needs Slicer and no network; each test stands alone. The library has its own tests."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all tests, for Reload and Test."""
        for name in [name for name in dir(self) if name.startswith("test_")]:
            self.setUp()
            try:
                getattr(self, name)()
            except unittest.SkipTest as reason:
                logging.info("%s was skipped: %s", name, reason)
        self.delayDisplay("Test passed")

    def test_parameters(self) -> None:
        """Parameters keep what is stored in them."""
        logic = KidneyParsingLogic()
        logic.getParameterNode().device = "cpu"
        logic.getParameterNode().inputVolume = madeVolumeNode(slicer.mrmlScene)
        self.assertEqual(logic.getParameterNode().device, "cpu")
        self.assertEqual(logic.getParameterNode().inputVolume.GetName(), "CT")
        self.assertFalse(logic.isRunning)

    def test_panel(self) -> None:
        """The panel builds, knows the scene's volume and ends without a trace of its clip plane."""
        volumeNode = madeVolumeNode(slicer.mrmlScene)
        widget = KidneyParsingWidget()
        try:
            self.assertEqual(widget.ui.inputSelector.currentNode(), volumeNode)
            self.assertTrue(widget.ui.applyButton.isEnabled())
            self.assertFalse(widget.ui.exportButton.isEnabled())
            importMadeResult(slicer.mrmlScene, volumeNode.GetID())
        finally:
            widget.cleanup()
            widget.parent.deleteLater()

    def test_import(self) -> None:
        """A result file becomes a segmentation with names and places, in 3D."""
        node = importMadeResult(slicer.mrmlScene, madeVolumeNode(slicer.mrmlScene).GetID())
        self.assertEqual(node.GetSegmentation().GetSegment("kidney_left").GetName(), "Left kidney")
        self.assertTrue(node.GetSegmentation().ContainsRepresentation("Closed surface"))
        self.assertEqual([place["kind"] for place in placesOf(node)], ["uncertain"])
        self.assertFalse(isEdited(node))

    def test_importUnderTransform(self) -> None:
        """A result lies under the transform of its CT."""
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        volumeNode = madeVolumeNode(slicer.mrmlScene)
        volumeNode.SetAndObserveTransformNodeID(transform.GetID())
        self.assertEqual(importMadeResult(slicer.mrmlScene, volumeNode.GetID()).GetTransformNodeID(), transform.GetID())

    def test_importAfterVolumeWasRemoved(self) -> None:
        """Without its CT a result is dropped with a sentence and leaves no node."""
        volumeNode = madeVolumeNode(slicer.mrmlScene)
        volumeNodeID = volumeNode.GetID()
        slicer.mrmlScene.RemoveNode(volumeNode)
        with self.assertRaises(ResultError):
            importMadeResult(slicer.mrmlScene, volumeNodeID)
        self.assertIsNone(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode"))

    def test_replaceAndUndo(self) -> None:
        """A second result takes the place of the first, and the editor's Undo brings the first back."""
        widget = KidneyParsingWidget()
        try:
            volumeNode = madeVolumeNode(slicer.mrmlScene)
            node = importMadeResult(slicer.mrmlScene, volumeNode.GetID())
            state = fingerprint(node)
            again = importMadeResult(
                slicer.mrmlScene, volumeNode.GetID(), 6, Replacement.of(node), widget._onBeforeReplace
            )
            self.assertEqual(again.GetID(), node.GetID())
            self.assertNotEqual(fingerprint(node), state)
            widget._correct.undo()
            self.assertEqual(fingerprint(node), state)
        finally:
            widget.cleanup()
            widget.parent.deleteLater()

    def test_run(self) -> None:
        """One real run of the engine on the sample CT; needs torch."""
        if missingPackages(str(Path(__file__).parent / "Resources" / "requirements.txt")):
            self.skipTest("PyTorch or a package is not installed")
        recorder = RunRecorder()
        logic = KidneyParsingLogic(recorder)
        try:
            logic.start(loadSampleCTA(), RunChoices(device="cpu", quality="fast").options)
            deadline = time.monotonic() + LONGEST_RUN_SECONDS
            while not recorder.ending and time.monotonic() < deadline:
                slicer.app.processEvents()
                time.sleep(0.01)
            self.assertEqual(recorder.ending, "finished", recorder.text)
            ids = recorder.node.GetSegmentation().GetSegmentIDs()
            self.assertTrue({"kidney_right", "kidney_left"} <= set(ids), ids)
        finally:
            logic.close()
