import type { Answer } from './answers';
import type { LoggedRequest } from './types';

/**
 * Told of every request to every emulator of this process once it is over, with the answer that was
 * given where no fault changed it. The contract test listens here.
 */
export const observers = new Set<(request: LoggedRequest, answer?: Answer) => void>();
