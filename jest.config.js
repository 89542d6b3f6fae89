/** Tests run the TypeScript sources over real local servers; see test/README.md for what lives where. */
const shared = {
	modulePathIgnorePatterns: ['<rootDir>/test/n8n/(installs|versions)/', '<rootDir>/dist/'],
	transform: {
		'^.+\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/test/tsconfig.json' }],
	},
};

/** The tests that run nodes inside n8n's engine, on one release of n8n; `n8nCore` names its copy of n8n-core. */
const engine = (n8nRelease, n8nCore) => ({
	...shared,
	displayName: `n8n ${n8nRelease}`,
	testMatch: [
		'<rootDir>/test/nodes/*.test.ts',
		'<rootDir>/test/guarantees/faults/*.test.ts',
		'<rootDir>/test/**/*.engine.test.ts',
	],
	setupFilesAfterEnv: ['<rootDir>/test/guarantees/contract/everyExchange.ts'],
	testEnvironment: '<rootDir>/test/harness/engine/environment.js',
	testEnvironmentOptions: { n8nCore },
	moduleNameMapper: { '^n8n-workflow$': '<rootDir>/test/harness/engine/n8n-workflow.js' },
});

module.exports = {
	projects: [
		{
			...shared,
			displayName: 'unit',
			testEnvironment: 'node',
			setupFilesAfterEnv: ['<rootDir>/test/guarantees/contract/everyAnswer.ts'],
			testMatch: ['<rootDir>/test/**/*.test.ts'],
			testPathIgnorePatterns: [
				'/node_modules/',
				'<rootDir>/test/n8n/',
				'<rootDir>/test/nodes/[^/]+\\.test\\.ts$',
				'<rootDir>/test/guarantees/faults/',
				'\\.engine\\.test\\.ts$',
			],
		},
		engine('2.41', 'n8n-core'),
		engine('1.123', 'n8n-core-v1'),
	],
	// Jest's default leaves a core free, which is half of a machine with two.
	maxWorkers: '100%',
	testTimeout: 30_000,
};
