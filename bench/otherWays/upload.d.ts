export const formFields: Array<[name: string, value: string]>;
