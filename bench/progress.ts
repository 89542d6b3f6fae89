/** Tells what is being measured at the moment. */
export type Progress = (doing: string) => void;
