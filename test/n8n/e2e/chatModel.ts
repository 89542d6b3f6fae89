import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A tool as the agent offers it to its model. */
export interface OfferedTool {
	name: string;
	description: string;
	/** JSON Schema of what the model has to fill in. */
	parameters: { properties?: Record<string, { description?: string }> };
}

/** What the model is asked: the talk so far, in the words of OpenAI's chat completions. */
export interface Asked {
	messages: Array<{ role: string; content: string; tool_call_id?: string }>;
	tools: OfferedTool[];
	/** The whole request, as it arrived. */
	raw: string;
}

/** What the model says: some words, or the call of a tool. */
export type Said = { text: string } | { tool: string; input: Record<string, unknown> };

/** A chat model that says what a script tells it, over OpenAI's chat completions. */
export interface ScriptedModel {
	/** Base URL for n8n's OpenAI credential. */
	url: string;
	asked: Asked[];
	close(): Promise<void>;
}

/** Starts a stand-in for a chat model; `script` decides each answer from what was asked. */
export async function startChatModel(script: (asked: Asked) => Said): Promise<ScriptedModel> {
	const asked: Asked[] = [];
	const server = createServer((request, response) => void answer(request, response));
	const answer = async (request: IncomingMessage, response: ServerResponse) => {
		const raw = await text(request);
		if (!request.url?.endsWith('/chat/completions')) return response.writeHead(404).end();
		const body = JSON.parse(raw) as {
			messages: Asked['messages'];
			tools?: Array<{ function: OfferedTool }>;
			stream?: boolean;
		};
		const tools = (body.tools ?? []).map((tool) => tool.function);
		asked.push({ messages: body.messages, tools, raw });
		const message = messageOf(script(asked.at(-1)!), asked.length);
		const finish_reason = 'tool_calls' in message ? 'tool_calls' : 'stop';
		const head = { id: `answer-${asked.length}`, created: 1, model: 'scripted' };
		if (!body.stream) {
			response.writeHead(200, { 'content-type': 'application/json' });
			return response.end(
				JSON.stringify({
					...head,
					object: 'chat.completion',
					choices: [{ index: 0, message, finish_reason }],
					usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
				}),
			);
		}
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		for (const choice of [
			{ index: 0, delta: message, finish_reason: null },
			{ index: 0, delta: {}, finish_reason },
		]) {
			const chunk = { ...head, object: 'chat.completion.chunk', choices: [choice] };
			response.write(`data: ${JSON.stringify(chunk)}\n\n`);
		}
		return response.end('data: [DONE]\n\n');
	};
	await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
	const { port } = server.address() as AddressInfo;
	return {
		url: `http://127.0.0.1:${port}/v1`,
		asked,
		close: async () => {
			server.closeAllConnections();
			await new Promise((done) => server.close(done));
		},
	};
}

function messageOf(said: Said, number: number) {
	if ('text' in said) return { role: 'assistant', content: said.text };
	const call = { name: said.tool, arguments: JSON.stringify(said.input) };
	return {
		role: 'assistant',
		content: null,
		tool_calls: [{ index: 0, id: `call-${number}`, type: 'function', function: call }],
	};
}
