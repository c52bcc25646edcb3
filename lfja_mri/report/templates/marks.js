const quote = text => /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
const plain = text => /^[=+\-@\t]/.test(text) ? "'" + text : text;

function markRows() {
  const reader = document.getElementById('reader').value.trim();
  return [...document.querySelectorAll('.joint')].flatMap(joint => {
    const chosen = joint.querySelector('input[type=radio]:checked');
    if (!chosen) return [];
    const other = joint.querySelector('select').value;
    const grade = chosen.value === 'agree' ? joint.dataset.grade : chosen.value === 'other_grade' ? other : '';
    const reason = joint.querySelector('.reason').value.trim();
    return [[study.subject, study.visit, study.study_key, joint.dataset.level, joint.dataset.side,
             chosen.value, grade, plain(reason), plain(reader)]];
  });
}

function marksCsv() {
  const head = ['subject', 'visit', 'study_key', 'level', 'side', 'mark', 'grade', 'reason', 'reader'];
  return [head, ...markRows()].map(row => row.map(quote).join(',') + '\n').join('');
}

document.getElementById('export').addEventListener('click', () => {
  const count = markRows().length;
  const link = document.createElement('a');
  link.href = 'data:text/csv;charset=utf-8,' + encodeURIComponent(marksCsv());
  link.download = 'marks_' + study.study_key + '.csv';
  link.click();
  document.getElementById('exported').textContent = count + (count === 1 ? ' mark' : ' marks') + ' exported';
});

document.querySelectorAll('.marks select').forEach(select => select.addEventListener('change', () => {
  if (select.value !== '') select.closest('.marks').querySelector('[value=other_grade]').checked = true;
}));

document.getElementById('all-outlines')?.addEventListener('change', event =>
  document.querySelectorAll('.outline-box').forEach(box => { box.checked = event.target.checked; }));
