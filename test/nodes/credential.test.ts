import { readBaseUrl } from '../../credentials/baseUrl';
import { MirageApi } from '../../credentials/MirageApi.credentials';
import { startEmulator, type Emulator } from '../harness/emulator/emulator';
import { n8nRelease } from '../harness/engine/n8n';
import { runWorkflow, testCredential } from '../harness/engine/engine';
import { startFileServer, whole } from '../harness/engine/fileServer';
import { readableError } from '../harness/engine/forPeople';

let mirage: Emulator;
beforeEach(async () => {
	mirage = await startEmulator();
});
afterEach(async () => await mirage.close());

const test = async (baseUrl: string, apiKey = mirage.apiKey) =>
	await testCredential({ baseUrl, apiKey });
const OK = { status: 'OK', message: 'Connection successful!' };

describe('the test of the credential', () => {
	it('succeeds with the right key, and asks for one video only', async () => {
		expect(await test(mirage.url)).toEqual(OK);
		expect(mirage.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
			'GET /v1/videos?limit=1',
		]);
	});

	it('fails with a wrong key, and does not show it', async () => {
		const result = await test(mirage.url, 'mira_wrong_key');
		expect(result.status).toBe('Error');
		expect(result.message).not.toContain('mira_wrong_key');
	});

	// n8n 1 shows its own words for a status and passes over the rules of the credential type.
	it.each([
		[401, /did not accept the API key/, /Authorization failed/],
		[403, /does not allow this API key/, /Forbidden/],
		[404, /no Mirage API at the Base URL/, /could not be found/],
	])('says what a status %i means', async (status, message, inN8n1) => {
		mirage.fault({ times: 2, fault: { kind: 'status', status } });
		expect(await test(mirage.url)).toEqual({
			status: 'Error',
			message: expect.stringMatching(n8nRelease === '1.123' ? inN8n1 : message),
		});
	});

	it('does not carry the key along when the server points elsewhere', async () => {
		const elsewhere = await startFileServer({ '/': whole(Buffer.from('[]')) });
		const headers = { location: `${elsewhere.url}/` };
		mirage.fault({ fault: { kind: 'status', status: 302, headers } });
		expect((await test(mirage.url)).status).toBe('Error');
		await elsewhere.close();
		expect(elsewhere.requests).toEqual([]);
	});

	it('takes a key that was pasted with spaces and a line break', async () => {
		expect(await test(mirage.url, ` ${mirage.apiKey}\n`)).toEqual(OK);
	});

	it.each([
		['with a trailing slash', () => `${mirage.url}/`],
		['with spaces around it', () => `  ${mirage.url} `],
	])('succeeds for a Base URL %s', async (_, baseUrl) => {
		expect(await test(baseUrl())).toEqual(OK);
		expect(mirage.requests).toHaveLength(1);
	});

	it.each<[string, () => string, RegExp]>([
		['with the path of the API', () => `${mirage.url}/v1`, /must not have a path/],
		['with a query', () => `${mirage.url}/?a=b`, /must not have a path/],
		['of another protocol', () => mirage.url.replace('http', 'ftp'), /must start with https/],
		['with a login', () => mirage.url.replace('//', '//me:pass@'), /user name or password/],
		['that is no address', () => 'api.mirage.app', /is not a web address/],
		['that is empty', () => ' ', /is empty/],
		['over plain http', () => 'http://api.mirage.app', /must start with https.*read the API key/],
	])('fails for a Base URL %s, says why, and sends nothing', async (_, baseUrl, why) => {
		const { status, message } = await test(baseUrl());
		expect(status).toBe('Error');
		expect(message).toMatch(why);
		expect(mirage.requests).toEqual([]);
	});

	it('fails where no server is, within a short time', async () => {
		expect((await test('http://127.0.0.1:9')).status).toBe('Error');
	});
});

describe('plain http', () => {
	it.each([
		...['localhost', '127.0.0.1:4010', '127.9.9.9', '[::1]:4010', '10.1.2.3', '172.16.0.1'],
		...['172.31.255.1', '192.168.1.20', 'mirage.local', 'host.docker.internal:4010', 'emulator:80'],
	])('is taken for a private host: %s', (host) => {
		expect(readBaseUrl(`http://${host}`)).toEqual({ origin: new URL(`http://${host}`).origin });
	});

	it.each([
		...['api.mirage.app', '8.8.8.8', '172.15.0.1', '172.32.0.1', '192.169.0.1', '11.0.0.1'],
		...['localhost.example.com', '10.0.0.1.example.com', '[2001:db8::1]', '127.0.0.1.nip.io'],
	])('is refused for any other: %s', (host) => {
		expect(readBaseUrl(`http://${host}`)).toEqual({
			problem: expect.stringContaining('must start with https://'),
		});
		expect(readBaseUrl(`https://${host}`)).toHaveProperty('origin');
	});
});

describe('a node run with such a Base URL', () => {
	const run = async (baseUrl: string) =>
		await runWorkflow({ baseUrl, apiKey: mirage.apiKey, nodes: [{ type: 'mirageList' }] });

	it('works with a trailing slash and spaces', async () => {
		expect((await run(` ${mirage.url}/ `)).status).toBe('success');
	});

	it.each<[string, () => string, RegExp]>([
		['a path', () => `${mirage.url}/v1`, /must not have a path/],
		['another protocol', () => mirage.url.replace('http', 'ftp'), /must start with https/],
		['a login', () => mirage.url.replace('//', '//me:pass@'), /user name or password/],
		['plain http', () => 'http://api.mirage.app', /must start with https.*read the API key/],
	])('is refused with %s before the key is sent anywhere', async (_, baseUrl, why) => {
		const result = await run(baseUrl());
		expect(result.error?.message).toMatch(why);
		expect(JSON.stringify(result.error)).not.toContain(mirage.apiKey);
		expect(mirage.requests).toEqual([]);
	});
});

it('a key that no longer works is told so in a run', async () => {
	const run = await runWorkflow({
		baseUrl: mirage.url,
		apiKey: 'mira_revoked_key',
		nodes: [{ type: 'mirageList' }],
	});
	expect(readableError(run, 'mira_revoked_key')).toMatch(/paste the key again/);
});

describe('the key goes nowhere else', () => {
	const credential = { apiKey: 'mira_secret', baseUrl: 'https://api.mirage.app' };
	const authenticate = new MirageApi().authenticate as (
		credentials: object,
		request: { url: string },
	) => Promise<{ headers?: object }>;
	const send = async (url: string) => await authenticate(credential, { url });

	it('it is added to requests to the Base URL', async () => {
		const { headers } = await send('https://api.mirage.app/v1/videos');
		expect(headers).toMatchObject({ 'x-api-key': 'mira_secret' });
	});

	it.each([
		'https://api.mirage.app.evil.example/v1/videos',
		'http://api.mirage.app/v1/videos',
		'https://api.mirage.app:8443/v1/videos',
		'https://api.mirage.app@evil.example/',
		'//evil.example/v1/videos',
		'https://cdn.mirage.app/video.mp4',
	])('a request to %s is refused', async (url) => {
		await expect(send(url)).rejects.toThrow(/only sent to https:\/\/api\.mirage\.app/);
	});
});
