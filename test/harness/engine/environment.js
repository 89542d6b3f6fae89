const { createRequire } = require('node:module');
const { Script, createContext } = require('node:vm');
const { LegacyFakeTimers, ModernFakeTimers } = require('@jest/fake-timers');
const { TestEnvironment } = require('jest-environment-node');

/**
 * The Jest environment of the engine tests. Three things differ from Jest's own Node environment:
 *
 * - Tests run in the realm of the process, as n8n does. In Jest's usual sandbox `instanceof Error` is
 *   false for every error that Node itself throws, and n8n's engine and the nodes ask that question.
 * - `n8nRequire(name)` loads n8n's modules with Node's own `require`, resolved from the folder of the
 *   package that the option `n8nCore` names. So they load once per worker, n8n's `import()` works, and
 *   a release of n8n always gets its own copies of its own dependencies.
 * - `onCleanup(work)` does its work when the test file is over.
 */
const singleRealm = new WeakSet();
const { runInContext } = Script.prototype;
Script.prototype.runInContext = function (context, options) {
	return singleRealm.has(context)
		? this.runInThisContext(options)
		: runInContext.call(this, context, options);
};

module.exports = class EngineEnvironment extends TestEnvironment {
	constructor(config, context) {
		super(config, context);
		this.cleanups = [];
		this.global = globalThis;
		this.context = createContext({});
		singleRealm.add(this.context);
		this.fakeTimers = new LegacyFakeTimers({
			config: config.projectConfig,
			global: globalThis,
			moduleMocker: this.moduleMocker,
			timerConfig: { idToRef: (id) => id, refToId: (timer) => timer },
		});
		this.fakeTimersModern = new ModernFakeTimers({
			config: config.projectConfig,
			global: globalThis,
		});

		const { n8nCore } = config.projectConfig.testEnvironmentOptions;
		const fromProject = createRequire(__filename);
		globalThis.n8nRequire = createRequire(fromProject.resolve(n8nCore));
		globalThis.onCleanup = (work) => void this.cleanups.push(work);
	}

	async teardown() {
		for (const work of this.cleanups) work();
		await super.teardown();
	}
};
