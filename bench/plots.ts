import { init, use } from 'echarts/core';
import { BarChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { SVGRenderer } from 'echarts/renderers';

import type { Results } from './measurements';
import type { Summary } from './statistics';
import type { Transfer } from './transfers';

/** A picture of some results. */
export interface Plot {
	/** Name of the file. */
	file: string;
	title: string;
	svg: string;
}

use([BarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const SIZE = { width: 760, height: 380 };
/** Readable on light and dark pages, and told apart by colour-blind people (Okabe and Ito). */
const COLORS = ['#0072B2', '#E69F00', '#D55E00', '#CC79A7', '#009E73'];
const TEXT = '#777777';

/** Draws what was measured; parts that were not give no plot. */
export function plotResults({ transfers, waiting }: Results): Plot[] {
	const plots: Plot[] = [];
	if (transfers) {
		const memory = transfers.uploads.filter(({ addedMiB }) => addedMiB);
		plots.push(
			bySize('upload-memory.svg', 'Upload: memory added to n8n, MiB', memory, 'addedMiB'),
			bySize('upload-time.svg', 'Upload: time, ms', transfers.uploads, 'ms'),
			bySize('download-time.svg', 'Download: time, ms', transfers.downloads, 'ms'),
		);
	}
	if (waiting?.[0]) {
		const others = Object.keys(waiting[0].others);
		plots.push(
			barPlot('waiting-requests.svg', 'Waiting: requests sent', {
				groups: waiting.map(({ videos }) => `${videos} video${videos === 1 ? '' : 's'}`),
				series: [
					{ name: 'Mirage Wait for Video', values: waiting.map(({ requests }) => requests) },
					...others.map((name) => ({
						name,
						values: waiting.map((row) => row.others[name]!),
					})),
				],
			}),
		);
	}
	return plots;
}

function bySize(
	file: string,
	title: string,
	transfers: Transfer[],
	figure: 'addedMiB' | 'ms',
): Plot {
	const sizes = [...new Set(transfers.map(({ megabytes }) => megabytes))];
	const ways = [...new Set(transfers.map(({ way }) => way))];
	return barPlot(file, title, {
		groups: sizes.map((megabytes) => `${megabytes} MB`),
		series: ways.map((name) => ({
			name,
			values: sizes.map((megabytes) => {
				const found = transfers.find(
					(transfer) => transfer.way === name && transfer.megabytes === megabytes,
				);
				return (found?.[figure] as Summary | undefined)?.median ?? 0;
			}),
		})),
	});
}

/** Bars in groups on a logarithmic scale, each with its value; what is below 1 stands as 1. */
function barPlot(
	file: string,
	title: string,
	{ groups, series }: { groups: string[]; series: Array<{ name: string; values: number[] }> },
): Plot {
	const fitsOneLine = series.reduce((sum, { name }) => sum + name.length, 0) < 80;
	const chart = init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
	chart.setOption({
		animation: false,
		color: COLORS,
		title: { text: title, textStyle: { color: TEXT, fontSize: 15 } },
		// Without a browser the widths of texts are guessed, too small: room keeps them apart.
		legend: {
			bottom: 0,
			...(fitsOneLine
				? { itemGap: 48 }
				: { itemGap: 6, orient: 'vertical', left: 'center', align: 'left' }),
			textStyle: { color: TEXT, fontSize: 11 },
		},
		grid: { left: 55, right: 15, top: 45, bottom: fitsOneLine ? 75 : 115 },
		xAxis: { type: 'category', data: groups, axisLabel: { color: TEXT } },
		yAxis: {
			type: 'log',
			min: 1,
			axisLabel: { color: TEXT },
			splitLine: { lineStyle: { opacity: 0.3 } },
		},
		series: series.map(({ name, values }) => ({
			type: 'bar',
			name,
			data: values.map((value) => ({
				value: Math.max(1, value),
				label: {
					show: true,
					position: 'top',
					color: TEXT,
					fontSize: 10,
					formatter: value.toFixed(0).replace(/^-0$/, '0'),
				},
			})),
		})),
	});
	const svg = chart.renderToSVGString();
	chart.dispose();
	return { file, title, svg };
}
