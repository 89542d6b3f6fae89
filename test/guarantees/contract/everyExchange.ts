/** Jest setup of tests that run nodes: what they send, and what the emulator answers, keeps the contract. */
import { watchAnswers, watchRequests } from './watch';

watchRequests();
watchAnswers();
