(function () {
  'use strict';
  var checks = document.querySelectorAll('.check');
  var findings = document.querySelectorAll('.finding');
  var search = document.getElementById('search');
  var matches = document.getElementById('matches');

  function filter() {
    var text = search.value.trim().toLowerCase();
    var count = 0;
    findings.forEach(function (one) {
      var check = one.parentNode.querySelector('summary').textContent;
      var hit = (one.textContent + check).toLowerCase().includes(text);
      one.classList.toggle('unmatched', !hit);
      count += hit;
    });
    checks.forEach(function (check) {
      var hit = check.querySelector('.finding:not(.unmatched)') ||
        check.textContent.toLowerCase().includes(text);
      check.classList.toggle('unmatched', !hit);
      if (text && hit) { check.open = true; }
    });
    matches.textContent = text ? count + ' of ' + findings.length : '';
  }

  search.addEventListener('input', filter);
  document.querySelector('.search').hidden = false;

  document.querySelectorAll('input[name="severity"]').forEach(function (one) {
    one.addEventListener('change', function () {
      var kind = one.id.replace('show', 'has');
      checks.forEach(function (check) {
        if (check.classList.contains(kind)) { check.open = true; }
      });
    });
  });

  function reveal() {
    var target = document.getElementById(location.hash.slice(1));
    var check = target && target.closest('.check');
    if (check) { check.open = true; target.scrollIntoView(); }
  }
  addEventListener('hashchange', reveal);
  reveal();

  function select(node) {
    var range = document.createRange();
    range.selectNodeContents(node);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
  document.querySelectorAll('.copy').forEach(function (box) {
    var button = document.createElement('button');
    var code = box.querySelector('code');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', function () {
      select(code);
      if (!navigator.clipboard) { return; }
      navigator.clipboard.writeText(code.textContent).then(function () {
        button.textContent = 'Copied';
      }, function () {});
    });
    box.appendChild(button);
  });

  var folded = [];
  addEventListener('beforeprint', function () {
    folded = Array.from(document.querySelectorAll('.check:not([open])'));
    folded.forEach(function (one) { one.open = true; });
  });
  addEventListener('afterprint', function () {
    folded.forEach(function (one) { one.open = false; });
  });
}());
