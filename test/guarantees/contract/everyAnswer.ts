/** Jest setup of all other tests: they may send anything, but the emulator's answers keep the contract. */
import { watchAnswers } from './watch';

watchAnswers();
