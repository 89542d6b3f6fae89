import type { INodeType } from 'n8n-workflow';
import { join } from 'node:path';

import { MirageAddCaptions } from '../../../nodes/AddCaptions/MirageAddCaptions.node';
import { MirageCreateVideo } from '../../../nodes/CreateVideo/MirageCreateVideo.node';
import { MirageList } from '../../../nodes/List/MirageList.node';
import { MirageMetaTextOverlay } from '../../../nodes/MetaTextOverlay/MirageMetaTextOverlay.node';
import { MirageTextToSpeech } from '../../../nodes/TextToSpeech/MirageTextToSpeech.node';
import { MirageTrigger } from '../../../nodes/Trigger/MirageTrigger.node';
import { MirageWaitForVideo } from '../../../nodes/WaitForVideo/MirageWaitForVideo.node';

/** Every node of the package. */
export const allNodes: INodeType[] = [
	new MirageCreateVideo(),
	new MirageWaitForVideo(),
	new MirageAddCaptions(),
	new MirageTextToSpeech(),
	new MirageMetaTextOverlay(),
	new MirageList(),
	new MirageTrigger(),
];

/** The folder of a node: `mirageList` → `…/nodes/List`. */
export const folderOf = (name: string) =>
	join(__dirname, '../../../nodes', name.replace(/^mirage/, ''));
