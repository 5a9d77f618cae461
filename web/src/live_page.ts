export async function showLive(_root: HTMLElement): Promise<void> {}
