/**
 * To be imported before `test/harness/engine/engine`: gives it what its Jest environment gives it, so that the
 * benchmark can run n8n's engine in its own process.
 */
import { createRequire } from 'node:module';

const fromProject = createRequire(__filename);
globalThis.n8nRequire = createRequire(fromProject.resolve('n8n-core')) as <T>(name: string) => T;
globalThis.onCleanup = (work) => void process.once('exit', work);
